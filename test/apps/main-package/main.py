raise SystemExit("a package of the same name goes before this file")
