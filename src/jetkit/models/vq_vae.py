"""VQ-VAE: an autoencoder of jets that says each particle by one of a few hundred codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.features import NUMBERS
from jetkit.data.spec import Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.model import Backbone
from jetkit.nn.packing import masked_mean, pad
from jetkit.nn.precision import full_precision
from jetkit.nn.standardisation import Standardisation
from jetkit.nn.transformer import Transformer
from jetkit.nn.vector_quantiser import Quantised, VectorQuantiser
from jetkit.registry import register


class Autoencoded(NamedTuple):
    """What an autoencoder makes of the M real particles of a batch."""

    wanted: Float[Tensor, "M F"]
    """Their standardised numbers."""
    found: Float[Tensor, "M F"]
    """The same as decoded from the codes."""
    quantised: Quantised


@register(
    "vq-vae",
    paper="Masked Particle Modeling on Sets, 2024, arXiv:2401.13537",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"width": 16, "depth": 1, "heads": 2, "latent": 4, "codes": 8},
)
class VQVAE(Backbone):
    """A transformer encoder, a Linear to the latent space, a vector quantiser, and the same backwards.

    It sees ln pT, Δη, Δφ and the impact parameters, as far as the features have them, and nothing else; they are
    standardised as the pretext ``vq-vae`` has found them. Neither transformer knows an order, so the code of a particle
    depends on all particles of its jet, and on nothing but them. The vector of a jet is the mean of the encoder's
    tokens; latent space, codes and decoder take no part in it.

    OmniJet-α (2024, arXiv:2403.05618) has latent=4, depth=4, heads=8 and codes=512, 2048 or 8192: the recipe
    ``omnijet-tokens`` of pretraining.

    Args:
        width: channels of a token
        depth: blocks of the encoder, and of the decoder
        heads: attention heads
        latent: numbers of a code vector
        codes: how many there are
        beta: share of the quantiser's loss that moves the codes, not the particles
        replace: steps after which a code that no particle has had is moved

    Raises:
        JetkitError: the spec has no feature that it could see.

    Example:
        >>> _ = torch.manual_seed(1)
        >>> model = VQVAE(Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top")), codes=8)
        >>> batch = Batch.of(x=torch.randn(3, 5, 2), mask=torch.ones(3, 5, dtype=torch.bool))
        >>> model.codes(batch).shape, model.reconstructed(batch).shape, model(batch).shape
        (torch.Size([3, 5]), torch.Size([3, 5, 2]), torch.Size([3, 128]))
    """

    idle: ClassVar[bool] = True

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 128,
        depth: int = 3,
        heads: int = 16,
        latent: int = 16,
        codes: int = 512,
        beta: float = 0.9,
        replace: int = 10,
    ) -> None:
        super().__init__(spec)
        self.width = width
        self.numbers = tuple(name for name in NUMBERS if name in spec.features)
        if not self.numbers:
            raise JetkitError(f"vq-vae needs one of the features {', '.join(NUMBERS)}: choose another feature set")
        self._places = columns(spec, *self.numbers)
        self.standard = Standardisation(len(self.numbers))
        self.enter = nn.Linear(len(self.numbers), width)
        self.encoder = Transformer(width, depth, heads)
        self.to_latent = nn.Linear(width, latent)
        self.quantiser = VectorQuantiser(codes, latent, beta=beta, replace=replace)
        self.from_latent = nn.Linear(latent, width)
        self.decoder = Transformer(width, depth, heads)
        self.leave = nn.Linear(width, len(self.numbers))
        self.encoded = width

    @property
    def decoders(self) -> tuple[nn.Module, ...]:
        """Latent space, codes, and what decodes them."""
        return (self.to_latent, self.quantiser, self.from_latent, self.decoder, self.leave)

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """The entry, and the blocks of the encoder."""
        blocks = [(f"encoder.blocks.{number}",) for number in range(len(self.encoder.blocks))]
        return (("standard", "enter"), *blocks[:-1], (*blocks[-1], "encoder.norm"))

    def values(self, batch: Batch) -> Float[Tensor, "B N F"]:
        """The numbers that it sees, in the units of the batch's ``x``."""
        return batch.x[..., self._places]

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """The encoder's vector of each particle (what stands in padded places is arbitrary)."""
        found: Tensor = self.encoder(self.enter(self.standard(self.values(batch))), batch.mask)
        return found

    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B D"]:
        """Mean over the particles."""
        return masked_mean(tokens, batch.mask)

    def latent(self, batch: Batch) -> Float[Tensor, "M L"]:
        """The real particles in the latent space."""
        found: Tensor = self.to_latent(self.tokens(batch)[batch.mask])
        return found

    @torch.no_grad()
    def begin(self, batches: Iterable[Batch]) -> None:
        """Standardise the numbers on these jets, and put the codes where their particles are.

        Raises:
            JetkitError: there are fewer different particles than codes.
        """
        kept = [batch.to(dtype=self.enter.weight.dtype) for batch in batches]
        self.standard.fit(torch.cat([self.values(batch)[batch.mask] for batch in kept]))
        self.quantiser.start(torch.cat([self.latent(batch) for batch in kept]))

    def autoencoded(self, batch: Batch) -> Autoencoded:
        """The real particles, by way of their codes; with gradients."""
        quantised: Quantised = self.quantiser(self.latent(batch))
        found = self._decoded(quantised.vectors, batch.mask)[batch.mask]
        return Autoencoded(self.standard(self.values(batch)[batch.mask]), found, quantised)

    @torch.no_grad()
    def codes(self, batch: Batch) -> Int[Tensor, "B N"]:
        """Number of the code of each particle, −1 where padded."""
        found = torch.full(batch.mask.shape, -1, device=batch.mask.device)
        with full_precision(batch.x):
            found[batch.mask] = self.quantiser.codes(self.latent(batch))
        return found

    @torch.no_grad()
    def decoded(self, codes: Int[Tensor, "B N"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N F"]:
        """The numbers of particles with these codes, in the units of the batch's ``x``; 0 where padded."""
        found = self._decoded(self.quantiser.vectors[codes[mask]], mask)
        return self.standard.undone(found) * mask.unsqueeze(2)

    def reconstructed(self, batch: Batch) -> Float[Tensor, "B N F"]:
        """What is left of `values` when each particle is said by its code; 0 where padded."""
        return self.decoded(self.codes(batch), batch.mask)

    def _decoded(self, vectors: Float[Tensor, "M L"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N F"]:
        """Standardised numbers."""
        found: Tensor = self.leave(self.decoder(pad(self.from_latent(vectors), mask), mask))
        return found
