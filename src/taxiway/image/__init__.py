"""Building images with a container engine, without the s2i tool."""
