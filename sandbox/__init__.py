"""Where untrusted code runs: isolations, workers, the compiler and the devices."""
