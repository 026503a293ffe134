"""What `convbudget <command>` does, one file each; `main(argv)` returns the exit code."""
