"""Run jobs: clips and masks in, outputs that appear together or not at all."""
