"""Owns films: cuts clips into verified MP4 files with stills; never calls a provider or spends."""
