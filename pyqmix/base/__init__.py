"""The lowest level: errors, kinds of options, seeds, files, the sizes of episodes, how the package was built."""
