"""From the syntax of PTX to steps that run."""
