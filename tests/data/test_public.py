"""Public datasets: names that stay in their folder, addresses of HTTP, and the descriptions that come with jetkit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jetkit.config import build, load, names
from jetkit.data.public import PublicDataset, PublicFile, public_dataset
from jetkit.data.readers import calo_challenge, jetclass, jetclass2, jetnet, lhco, quark_gluon, top_tagging
from jetkit.errors import JetkitError
from jetkit.registry import entries

READERS = (calo_challenge, jetclass, jetclass2, jetnet, lhco, quark_gluon, top_tagging)
"""The files that register the readers."""


@pytest.mark.parametrize(
    "name", ["../jets.h5", "/jets.h5", "a/jets.h5", "a\\jets.h5", "..", "", ".jets", "c:jets", "a\n"]
)
def test_names_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(JetkitError, match="is not the name of a file inside a folder"):
        PublicFile(name)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x.org/jets.h5", "jets.h5", "https://"])
def test_addresses_are_of_http(url: str) -> None:
    with pytest.raises(JetkitError, match="should begin with https://"):
        PublicFile("jets.h5", mirrors=(url,))
    values = load("public", "lhco") | {"name": "lhco", "mirrors": [url]}
    with pytest.raises(JetkitError, match="should begin with https://"):
        build(PublicDataset, values, "lhco")


def test_a_pattern_selects_files_and_none_is_an_error() -> None:
    assert [file.name for file in public_dataset("jetnet30").selected("[gq].hdf5")] == ["g.hdf5", "q.hdf5"]
    with pytest.raises(JetkitError, match=r"no file of jetnet30 fits files=x\*: there are g.hdf5, q.hdf5"):
        public_dataset("jetnet30").selected("x*")


def test_a_series_stands_for_its_files() -> None:
    found = public_dataset("jetclass2").all_files
    assert len(found) == 300 + 1290 + 420
    assert (found[0].name, found[299].name, found[-1].name) == (
        "Res2P_0000.parquet",
        "Res2P_0299.parquet",
        "QCD_0419.parquet",
    )
    assert found[-1].mirrors[0].endswith("/data/QCD_0419.parquet")


def test_a_description_of_ones_own_is_a_yaml_file(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(
        "description: jets\ncitation: [A paper]\nhomepage: 'http://x.org'\nreader: weaver\n"
        "mirrors: ['http://x.org/a/{name}', 'http://y.org/{name}?get=1']\nfiles: [{name: my jets.h5}]\n"
    )
    assert public_dataset(own).name == "mine"
    (file,) = public_dataset(str(own)).all_files
    assert file.mirrors == ("http://x.org/a/my%20jets.h5", "http://y.org/my%20jets.h5?get=1")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"files": []}, "at least one file"),
        ({"files": [{"name": "a"}, {"name": "a"}]}, "each once"),
        ({"files": [{"name": "a", "md5": "abc"}]}, "md5"),
        ({"files": [{"name": "{0..9}", "bytes": 1}]}, "many files"),
        ({"mirrors": []}, "has no address"),
        ({"licence": 4}, "licence"),
    ],
)
def test_a_description_that_cannot_be_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(JetkitError, match=sentence):
        build(PublicDataset, load("public", "top-tagging") | {"name": "x"} | values, "x")


@pytest.mark.parametrize("name", names("public"))
def test_every_public_dataset_can_be_read_and_converted(name: str) -> None:
    found = public_dataset(name)
    assert found.reader in {entry.name for entry in entries("reader")}
    sums = [file.checksum for file in found.all_files if file.checksum]
    assert len(sums) == len(set(sums))
    assert all(url.startswith("https://") and "{" not in url for file in found.all_files for url in file.mirrors)
    record = found.homepage.partition("zenodo.")[2]
    assert record in found.all_files[0].mirrors[0]
