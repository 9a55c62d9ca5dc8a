raise SystemExit("DISABLE_SETUP_PY_PROCESSING isn't honoured")
