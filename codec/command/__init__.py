"""The subcommands of `codec`, one module each: `add(commands)` describes its flags, `run(arguments)` does it."""
