"""Random programs: are they rewritten rightly, or is it said that they are not? (``make fuzz``)

``draft`` and ``forms`` write small projects that run, ``layout`` spells their files oddly,
``specs`` makes a spec for them. ``sites`` builds the original and lists the parameters that are
really there; ``expectation`` says what the spec makes of each, without asking the planner;
``oracle`` rewrites the project, builds it again, and compares. ``shrink`` makes a failing program
small, ``pool`` runs programs in children with a time limit.
"""
