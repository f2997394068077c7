"""What decides a clip's grade: its frames, small and a few a second, told apart into shots."""
