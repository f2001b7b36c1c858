"""The 188 classes of the public JetClass-II files, in the order of their ``jet_label``.

Source: H. Qu et al., "Accelerating Resonance Searches via Signature-Oriented Pre-training" (2024), arXiv:2405.12972.

Names give the decay products of X (or X → YY): ``ev`` and ``mv`` are a lepton with its neutrino, ``tauh`` is a hadronic
tau, q is u or d. Names with ``QCD_`` give the heavy quarks found in a QCD jet.
"""

from __future__ import annotations

_TWO_PRONG = """
    bb cc ss qq bc cs bq cq sq gg ee mm tauhtaue tauhtaum tauhtauh
"""
_THREE_AND_FOUR_PRONG = """
    bbbb bbcc bbss bbqq bbgg bbee bbmm bbtauhtaue bbtauhtaum bbtauhtauh bbb bbc bbs bbq bbg bbe bbm cccc ccss
    ccqq ccgg ccee ccmm cctauhtaue cctauhtaum cctauhtauh ccb ccc ccs ccq ccg cce ccm ssss ssqq ssgg ssee ssmm
    sstauhtaue sstauhtaum sstauhtauh ssb ssc sss ssq ssg sse ssm qqqq qqgg qqee qqmm qqtauhtaue qqtauhtaum
    qqtauhtauh qqb qqc qqs qqq qqg qqe qqm gggg ggee ggmm ggtauhtaue ggtauhtaum ggtauhtauh ggb ggc ggs ggq ggg
    gge ggm bee cee see qee gee bmm cmm smm qmm gmm btauhtaue ctauhtaue stauhtaue qtauhtaue gtauhtaue
    btauhtaum ctauhtaum stauhtaum qtauhtaum gtauhtaum btauhtauh ctauhtauh stauhtauh qtauhtauh gtauhtauh qqqb
    qqqc qqqs bbcq ccbs ccbq ccsq sscq qqbc qqbs qqcs bcsq bcs bcq bsq csq bcev csev bqev cqev sqev qqev bcmv
    csmv bqmv cqmv sqmv qqmv bctauev cstauev bqtauev cqtauev sqtauev qqtauev bctaumv cstaumv bqtaumv cqtaumv
    sqtaumv qqtaumv bctauhv cstauhv bqtauhv cqtauhv sqtauhv qqtauhv
"""
_QCD = """
    bbccss bbccs bbcc bbcss bbcs bbc bbss bbs bb bccss bccs bcc bcss bcs bc bss bs b ccss ccs cc css cs c ss s
    light
"""

JETCLASS_II = [
    *(f"X_{partons}" for partons in _TWO_PRONG.split()),
    *(f"X_YY_{partons}" for partons in _THREE_AND_FOUR_PRONG.split()),
    *(f"QCD_{quarks}" for quarks in _QCD.split()),
]
"""Class names of JetClass-II; the index is ``jet_label``."""
