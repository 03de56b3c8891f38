"""Reports for people: a run, two runs or one judgement, as HTML, Markdown or JSON.

`reading` fetches what the store holds, `telling` makes the account of it (a frozen model, `account`), and `html` and
`markdown` are renderings of that account: neither knows a fact that the account lacks.
"""
