"""Checkpoints of others: what is read off them, and what is refused, without running a line of theirs."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch

from jetkit.cli.import_model import ImportOptions
from jetkit.config import ConfigError
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.interchange.foreign import LAYOUTS, import_model
from jetkit.interchange.layouts.weaver import JETCLASS
from jetkit.registry import create
from jetkit.store.model_file import load_model, read_card, save_model
from jetkit.store.tensor_file import sha256_of
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch

SMALL = {
    "part": {"width": 16, "depth": 2, "class_depth": 1, "heads": 4, "pair_widths": (8, 6)},
    "particle-net": {"widths": (8, 16, 16), "f": 12},
    "pfn": {"phi": (8, 10, 12), "f": (9,)},
    "lorentz-net-published": {"width": 8, "depth": 3},
}
BLOCK = {
    "attention.project.": "attn.in_proj.",
    "attention.out.": "attn.out_proj.",
    "norm_attention.": "pre_attn_norm.",
    "norm_seen.": "post_attn_norm.",
    "norm_mlp.": "pre_fc_norm.",
    "norm_wide.": "post_fc_norm.",
    "widen.": "fc1.",
    "narrow.": "fc2.",
    "head_scale": "c_attn",
    "residual_scale": "w_resid",
}
PART = {
    "norm.": "embed.input_bn.", "embed.": "embed.embed.", "pairs.layers.": "pair_embed.embed.", "final_norm.": "norm.",
    "class_token": "cls_token", "head.": "fc.0.", "class_blocks.": "cls_blocks.",
}  # fmt: skip
LORENTZ = {
    "edge_in.": "phi_e.0.", "edge_norm.": "phi_e.1.", "edge_out.": "phi_e.3.", "gate.": "phi_m.0.",
    "node_in.": "phi_h.0.", "node_norm.": "phi_h.1.", "node_out.": "phi_h.3.",
    "move_in.": "phi_x.0.", "move_out.": "phi_x.2.",
}  # fmt: skip
START = {"embed.": "embedding.", "blocks.": "LGEBs.", "f.0.": "graph_dec.0.", "head.": "graph_dec.3."}


def named_by_weaver_or_lorentznet(model: str, name: str, last: int) -> str:
    """The foreign name of a tensor, written from jetkit's side; ``last`` is the place of the classifier of a PFN."""
    if model == "particle-net":
        for own, foreign in {"layers": "convs", "norms": "bns", "shortcut.0": "sc", "shortcut.1": "sc_bn"}.items():
            name = name.replace(f".{own}.", f".{foreign}.")
        starts = {"norm.": "bn_fts.", "blocks.": "edge_convs.", "f.0.": "fc.0.0.", "head.": "fc.1."}
    elif model == "pfn":
        part, number, *rest = name.split(".")
        return (
            f"fc.{last}.{number}"
            if part == "head"
            else f"{'fc' if part == 'f' else part}.{int(number) // 2}.0.{rest[0]}"
        )
    else:
        starts, parts = (PART, BLOCK) if model == "part" else (START, LORENTZ)
        for own, foreign in parts.items():
            name = name.replace(f".{own}", f".{foreign}")
    start = next((start for start in starts if name.startswith(start)), "")
    return starts.get(start, "") + name[len(start) :]


def weights_of(task: Classify) -> dict[str, torch.Tensor]:
    """Those of the model by their own names, and those of the head."""
    return {name.removeprefix("model."): tensor for name, tensor in task.state_dict().items()}


def published(
    model: str, inputs: int = 7, classes: int = 2, **values: Any
) -> tuple[Any, OrderedDict[str, torch.Tensor]]:
    """A small model of jetkit, and its weights as the authors' code would name and shape them."""
    names = {len(features): tuple(f.name for f in features) for features in FEATURE_SETS.values()}
    features = names.get(inputs, tuple(f"part_{i}" for i in range(inputs)))
    spec = Spec.of(features, classes=tuple(f"class {i}" for i in range(classes)))
    torch.manual_seed(1)
    own = Classify(create(model, spec, SMALL[model] | values), spec).eval()
    state = OrderedDict()
    for name, tensor in weights_of(own).items():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand_like(tensor))
        convolution = {"part": "pairs", "particle-net": "blocks", "pfn": "phi"}.get(model, "no")
        shape = (..., None) if tensor.ndim == 2 and name.startswith(convolution) else ...
        last = len(SMALL["pfn"]["f"])
        state[named_by_weaver_or_lorentznet(model, name, last)] = tensor[shape]
    return own, state


def saved(folder: Path, content: object) -> Path:
    torch.save(content, folder / "published.pt")
    return folder / "published.pt"


def format_of(model: str) -> str:
    return "lorentznet" if model.startswith("lorentz") else "weaver"


@pytest.mark.parametrize("prefix", ["", "mod.", "module.", "module.mod."])
@pytest.mark.parametrize("model", SMALL)
def test_weights_arrive_where_they_belong(tmp_path, model: str, prefix: str) -> None:
    own, state = published(model)
    path = saved(tmp_path, {prefix + name: tensor for name, tensor in state.items()})
    imported, card = import_model(path, format_of(model))
    assert card.model == model
    for name, value in SMALL[model].items():
        assert (
            tuple(card.hyperparameters[name]) == value
            if isinstance(value, tuple)
            else card.hyperparameters[name] == value
        )
    for name, tensor in weights_of(own).items():
        assert torch.equal(weights_of(imported)[name], tensor), name


@pytest.mark.parametrize("model", SMALL)
def test_an_imported_model_is_a_model_file_that_names_its_parent(tmp_path, model: str) -> None:
    own, state = published(model)
    path = saved(tmp_path, state)
    imported, card = import_model(path, format_of(model))
    save_model(tmp_path / "model.safetensors", imported, card)
    batch = random_batch(own.spec, jets=4).to(dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model.safetensors")(batch), own(batch))
    assert read_card(tmp_path / "model.safetensors").parents == [sha256_of(path)]


@pytest.mark.parametrize(("inputs", "name"), [(7, "kin"), (13, "kinpid"), (17, "full")])
@pytest.mark.parametrize("model", ["part", "particle-net", "pfn"])
def test_the_number_of_inputs_tells_the_feature_set(tmp_path, model: str, inputs: int, name: str) -> None:
    _, card = import_model(saved(tmp_path, published(model, inputs)[1]), "weaver")
    assert card.preprocessing == {"features": name, "length": 128}
    assert list(card.spec_of.features) == [feature.name for feature in FEATURE_SETS[name]]


def test_three_inputs_are_of_no_published_set(tmp_path) -> None:
    with pytest.raises(JetkitError, match="this model has 3 features, as no set of jetkit"):
        import_model(saved(tmp_path, published("pfn", 3)[1]), "weaver")


def test_classes_are_the_authors_unless_named(tmp_path) -> None:
    two, ten = (saved(tmp_path / name, published("pfn", classes=count)[1]) for name, count in folders(tmp_path))
    assert import_model(two, "weaver")[1].classes == ["top", "QCD"]
    assert import_model(ten, "weaver")[1].classes == list(JETCLASS)
    assert import_model(two, "weaver", classes=["quark", "gluon"])[1].classes == ["quark", "gluon"]


def folders(path: Path) -> list[tuple[str, int]]:
    found = [("two", 2), ("ten", 10)]
    for name, _ in found:
        (path / name).mkdir()
    return found


@pytest.mark.parametrize("model", SMALL)
def test_outputs_can_be_put_in_another_order(tmp_path, model: str) -> None:
    own, state = published(model)
    imported, card = import_model(
        saved(tmp_path, state), format_of(model), classes=["top", "QCD"], order=["QCD", "top"]
    )
    batch = random_batch(own.spec, jets=4).to(dtype=torch.float32)
    assert card.classes == list(imported.spec.classes) == ["QCD", "top"]
    with torch.no_grad():
        torch.testing.assert_close(imported(batch), own(batch)[:, [1, 0]])


def test_older_names_of_attention_and_absent_counters_are_known(tmp_path) -> None:
    own, state = published("part")
    older = {
        name.replace("in_proj.", "in_proj_"): tensor for name, tensor in state.items() if "num_batches" not in name
    }
    assert older.keys() != state.keys()
    imported, _ = import_model(saved(tmp_path, older), "weaver")
    assert torch.equal(imported.model.blocks[0].attention.project.weight, own.model.blocks[0].attention.project.weight)


def test_a_classifier_outside_of_the_wrapped_part_is_found(tmp_path) -> None:
    own, state = published("part")
    tuned = {name if name.startswith("fc.") else f"mod.{name}": tensor for name, tensor in state.items()}
    imported, _ = import_model(saved(tmp_path, tuned), "weaver")
    assert torch.equal(imported.head.weight, own.head.weight)


@pytest.mark.parametrize(
    ("model", "text"),
    [("part", "use_pre_activation_pair"), ("particle-net", "k is 16"), ("lorentz-net-published", "0.005 with beams")],
)
def test_the_card_tells_what_the_file_does_not(tmp_path, model: str, text: str) -> None:
    _, card = import_model(saved(tmp_path, published(model)[1]), format_of(model))
    assert text in card.training["note"]


def test_hyperparameters_that_the_file_does_not_tell_can_be_given(tmp_path) -> None:
    path = saved(tmp_path, published("particle-net")[1])
    assert import_model(path, "weaver", values={"k": 7})[0].model.k == 7
    with pytest.raises(ConfigError, match="unknown option 'kk'"):
        import_model(path, "weaver", values={"kk": 7})


def test_lorentznet_with_eight_scalars_has_no_beams_and_needs_their_names(tmp_path) -> None:
    kinds = tuple(f"part_{i}" for i in range(8))
    own, state = published("lorentz-net-published", 8, beams=False, scalars=kinds, c=1e-3)
    path = saved(tmp_path, state)
    imported, card = import_model(path, "lorentznet", features=kinds)
    batch = random_batch(own.spec, jets=4).to(dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(imported(batch), own(batch))
    assert (card.hyperparameters["beams"], card.hyperparameters["c"]) == (False, 1e-3)
    assert card.classes == ["gluon", "quark"]
    with pytest.raises(JetkitError, match="this model has 8 features, as no set of jetkit"):
        import_model(path, "lorentznet")


def test_lorentznet_with_two_scalars_has_beams(tmp_path) -> None:
    _, card = import_model(saved(tmp_path, published("lorentz-net-published")[1]), "lorentznet", values={"c": 0.01})
    assert (card.hyperparameters["beams"], card.hyperparameters["c"]) == (True, 0.01)
    assert card.classes == ["QCD", "top"]
    assert card.preprocessing["length"] == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "keras"}, "unknown format 'keras': choose one of weaver, lorentznet, lundnet, pelican, treenin"),
        (
            {"format": "lorentznet"},
            "none of the models that jetkit knows in the format lorentznet: lorentz-net-published",
        ),
        ({"classes": ["a", "b", "c"]}, "this model has 2 classes, 3 are named"),
        ({"order": ["QCD", "W"]}, "order should hold the classes top, QCD, not QCD, W"),
        ({"features": ["part_a"]}, "this model has 7 features, 1 are named"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        import_model(saved(tmp_path, published("pfn")[1]), **{"format": "weaver"} | options)


@pytest.mark.parametrize(
    ("inputs", "classes", "message"), [(9, 2, "9 features, as no set"), (7, 4, "4 classes, none is")]
)
def test_unusual_sizes_need_names(tmp_path, inputs: int, classes: int, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        import_model(saved(tmp_path, published("pfn", inputs, classes)[1]), "weaver")


def changed(state, change: str):
    if change == "more":
        return state | {"fusion_block.0.weight": torch.ones(3)}
    if change == "twice":
        return state | {"mod." + name: tensor for name, tensor in state.items()}
    if change == "less":
        return {name: tensor for name, tensor in state.items() if name != "blocks.1.fc1.bias"}
    if change == "no width":
        return state | {"cls_token": torch.tensor(0.0)}
    if change == "other shape":
        return state | {"blocks.1.fc1.bias": torch.ones(5)}
    if change == "sparse":
        return state | {"cls_token": state["cls_token"].to_sparse()}
    return {"epoch": 3, **state}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("more", "jetkit's part has nothing like the tensor fusion_block.0.weight"),
        ("twice", "holds two models under different prefixes"),
        ("less", r"has nothing for the tensor blocks.1.widen.bias of jetkit's part"),
        ("no width", "lacks the tensor cls_token of the architecture"),
        ("other shape", r"jetkit's part needs blocks.1.fc1.bias of shape \(64,\), not \(5,\)"),
        ("sparse", r"holds more than plain tensors \(cls_token\)"),
        ("number", r"holds more than plain tensors \(epoch\)"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused(tmp_path, change: str, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        import_model(saved(tmp_path, changed(published("part")[1], change)), "weaver")


def test_the_command_knows_every_format() -> None:
    formats = dict.fromkeys(layout.format for layout in LAYOUTS)
    assert get_args(get_type_hints(ImportOptions)["format"]) == tuple(formats)


def test_a_state_dictionary_may_be_part_of_a_checkpoint(tmp_path) -> None:
    own, state = published("pfn")
    imported, _ = import_model(saved(tmp_path, {"epoch": 3, "state_dict": state}), "weaver")
    assert torch.equal(imported.head.weight, own.head.weight)


@pytest.mark.parametrize("content", [[], {}, torch.ones(3), {3: torch.ones(3)}, "text"])
def test_what_is_no_state_dictionary_is_refused(tmp_path, content: object) -> None:
    with pytest.raises(JetkitError, match="holds no state dictionary"):
        import_model(saved(tmp_path, content), "weaver")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off", b"\x80\x02."])
def test_what_is_no_checkpoint_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    with pytest.raises(JetkitError, match="is no checkpoint of plain tensors"):
        import_model(path, "weaver")


class Attack:
    """An object whose unpickling creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_checkpoint_is_not_run(tmp_path, write) -> None:
    path, target = tmp_path / "evil.pt", tmp_path / "created"
    write({"cls_token": Attack(target)}, path)
    with pytest.raises(JetkitError, match=r"is no checkpoint of plain tensors \(UnpicklingError\)"):
        import_model(path, "weaver")
    assert not target.exists()
    torch.load(path, weights_only=False) if write is torch.save else pickle.loads(path.read_bytes())
    assert target.exists()
