from .base import *

BERTHS = 12
