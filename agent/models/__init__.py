"""Chat models as proposers.

Asked: `opening` opens a model for each role, `shared` and `wording` say what it is asked, `purse` (with `prices`)
sets aside what a call may cost, `endpoint` sends it in the model's `dialect` over `transport`. Answered:
`completion` reads what came, `failures` says what did not, `blocks` and `reply` take the text apart. `chat` is the
proposer; of its coders each candidate is a conversation (`turns`) with tools (`bench`). What the tools said reaches
models by `feedback` and `profile_words`; `fallback` stands in for a critic that said nothing.
"""
