"""Bill of materials and provenance of an image: `inventory` reads what is installed, `document`, `provenance` write."""
