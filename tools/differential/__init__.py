"""The same requests to kube-apiserver and to ours, and where the answers differ.

    corpus     which requests: each field of every kind, one at a time or several at once, valid and broken
    answers    an answer in a comparable form, and the difference of two
    asking     a kind's requests to one server
    recorded   the answers of kube-apiserver that tests/testdata/answers holds
    accepted   differences that are meant to stay, each with its reason
    causes     differences sorted by likely cause
    __main__   the command: replay, compare, record

docs/judging.md says how to use it.
"""
