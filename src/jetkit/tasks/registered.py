"""The tasks that come with jetkit: one file a task. A new one is a file and a line here."""

from jetkit.tasks.classify import Classify
from jetkit.tasks.density import Density
from jetkit.tasks.generate import Generate
from jetkit.tasks.jet_clr import JetCLR
from jetkit.tasks.jet_gpt import JetGPTPretext
from jetkit.tasks.mpm import MPM
from jetkit.tasks.multi_task import MultiTask
from jetkit.tasks.omni_learn import OmniLearn
from jetkit.tasks.omnijet import OmniJetPretext
from jetkit.tasks.p_jepa import PJEPA
from jetkit.tasks.regress import Regress
from jetkit.tasks.rs3l import RS3L
from jetkit.tasks.supervised_attention import SupervisedAttention
from jetkit.tasks.vq_vae import VQVAEPretext
