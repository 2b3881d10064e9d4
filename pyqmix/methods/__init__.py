"""Value-decomposition methods other than QMIX, VDN and IQL, registered as mixers like a user's own."""

from pyqmix.methods.qatten import Qatten
from pyqmix.methods.qplex import QPLEX
from pyqmix.methods.qtran import QTRANBase
from pyqmix.methods.wqmix import CWQMIX, OWQMIX

__all__ = ["CWQMIX", "OWQMIX", "QPLEX", "QTRANBase", "Qatten"]
