"""The laptop: environments of a project's own, built and used without a container, by the code that builds images."""
