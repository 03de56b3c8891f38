"""The arithmetic of honest timing: order of samples, when to stop, statistics, what is plausible."""
