"""The errors a user can cause: one line that says the value, the rule and the fix."""


class UserError(ValueError):
    """Input that breaks a rule; the command line prints it on one line and exits with code 2.

    The message names the value that was given, the rule it breaks, and what to write instead.
    """


class Interrupted(Exception):
    """The user asked to stop; everything recorded so far is kept and the same command goes on."""
