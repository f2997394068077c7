"""What a stage of training learns from what; one file each."""
