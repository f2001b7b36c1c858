"""Models that have a paper: one file a family. A new one is a file and a line here."""

from jetkit.models.efn import EFN
from jetkit.models.lorentz_net import LorentzNet, LorentzNetPublished
from jetkit.models.observables_bdt import ObservablesBDT
from jetkit.models.part import ParT
from jetkit.models.particle_net import ParticleNet
from jetkit.models.pfn import PFN

__all__ = ["EFN", "PFN", "LorentzNet", "LorentzNetPublished", "ObservablesBDT", "ParT", "ParticleNet"]
