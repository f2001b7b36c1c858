"""Models that have a paper: one file a family. A new one is a file and a line here."""

from jetkit.models.bip import BIP, BipBDT
from jetkit.models.efn import EFN
from jetkit.models.efp_linear import EFPLinear
from jetkit.models.ensemble import Ensemble, Stack
from jetkit.models.jet_clr import JetCLR
from jetkit.models.jet_gpt import JetGPT
from jetkit.models.jet_image_cnn import JetImageCNN
from jetkit.models.jet_vlad import JetVLAD
from jetkit.models.l_gatr import LGATr
from jetkit.models.lbn import LBN
from jetkit.models.lda import LDA
from jetkit.models.lgn import LGN
from jetkit.models.lola import LoLa
from jetkit.models.lorentz_net import LorentzNet, LorentzNetPublished
from jetkit.models.lund_lstm import LundLSTM
from jetkit.models.lund_net import LundNet
from jetkit.models.mlp import MLP
from jetkit.models.morphology import Morphology
from jetkit.models.nsf import NSF
from jetkit.models.nsub_dnn import NsubDNN
from jetkit.models.observables_bdt import ObservablesBDT
from jetkit.models.omnijet import OmniJet
from jetkit.models.p_cnn import PCNN
from jetkit.models.part import ParT
from jetkit.models.part_irc import ParTIRC
from jetkit.models.part_supervised import ParTSupervised
from jetkit.models.particle_net import ParticleNet
from jetkit.models.particle_next import ParticleNeXt
from jetkit.models.pelican import Pelican, PelicanIRC, PelicanSO2
from jetkit.models.pet import PET
from jetkit.models.pfn import PFN
from jetkit.models.rec_nn import RecNN
from jetkit.models.res_next import ResNeXt
from jetkit.models.rnn_ip import RNNIP
from jetkit.models.so2_efn import SO2EFN
from jetkit.models.topo_dnn import TopoDNN
from jetkit.models.tree_nin import TreeNiN
from jetkit.models.vq_vae import VQVAE
from jetkit.models.wrapped import Wrapped
