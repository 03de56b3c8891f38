"""The stages of a judgement, from compiling to the profile."""
