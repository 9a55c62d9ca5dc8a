from .base import *

MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
