"""Fills the database; run by hand. Importing it is not meant."""

from blog import create_app

raise SystemExit(f"this script was imported: {create_app}")
