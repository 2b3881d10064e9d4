"""What everything else stands on: errors, seeds, files, what episodes look like, how the package was built."""
