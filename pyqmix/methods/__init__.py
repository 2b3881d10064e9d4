"""Value-decomposition methods beside QMIX, VDN and IQL, registered as mixers the way that a user's own are."""

from pyqmix.methods.qatten import Qatten
from pyqmix.methods.qplex import QPLEX
from pyqmix.methods.qtran import QTRANBase
from pyqmix.methods.wqmix import CWQMIX, OWQMIX

__all__ = ["CWQMIX", "OWQMIX", "QPLEX", "QTRANBase", "Qatten"]
