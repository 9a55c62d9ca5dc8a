from relay.settings.base import *
