"""chromacord in other programs: one folder a program, which calls only the public API or the command."""
