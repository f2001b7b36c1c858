"""Methods of pretraining: one file a method. A new one is a file and a line here."""

from jetkit.tasks.jet_clr import JetCLR
from jetkit.tasks.jet_gpt import JetGPTPretext
from jetkit.tasks.mpm import MPM
from jetkit.tasks.omni_learn import OmniLearn
from jetkit.tasks.omnijet import OmniJetPretext
from jetkit.tasks.p_jepa import PJEPA
from jetkit.tasks.rs3l import RS3L
from jetkit.tasks.vq_vae import VQVAEPretext
