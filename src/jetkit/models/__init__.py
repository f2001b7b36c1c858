"""Models that have a paper: one file a family. A new one is a file and a line here."""

from jetkit.models.efn import EFN
from jetkit.models.lbn import LBN
from jetkit.models.lola import LoLa
from jetkit.models.lorentz_net import LorentzNet, LorentzNetPublished
from jetkit.models.lund_lstm import LundLSTM
from jetkit.models.lund_net import LundNet
from jetkit.models.observables_bdt import ObservablesBDT
from jetkit.models.p_cnn import PCNN
from jetkit.models.part import ParT
from jetkit.models.particle_net import ParticleNet
from jetkit.models.pfn import PFN
from jetkit.models.topo_dnn import TopoDNN

__all__ = [
    "EFN",
    "LBN",
    "PCNN",
    "PFN",
    "LoLa",
    "LorentzNet",
    "LorentzNetPublished",
    "LundLSTM",
    "LundNet",
    "ObservablesBDT",
    "ParT",
    "ParticleNet",
    "TopoDNN",
]
