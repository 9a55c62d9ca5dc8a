#!/bin/bash
exec python -m http.server --bind 0.0.0.0 --directory site "$PORT"
