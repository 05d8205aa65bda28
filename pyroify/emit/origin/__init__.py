"""What the project's own training script trains on what, cut out of it by a backward slice.

``code`` has its scopes and who calls whom, ``cut`` the statements that some names depend on,
``constants`` what numbers come to, ``training`` the step that the script takes, ``losses`` what
likelihood that is, ``take`` puts an :class:`~pyroify.emit.origin.origin.Origin` together.
"""
