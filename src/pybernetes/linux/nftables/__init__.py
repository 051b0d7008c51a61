"""nftables rulesets: described as data, compared with the kernel, written in one transaction.

    Table (description) ----- Script ---- nft -f        the first write, and tables that are replaced completely
    Fragment (one owner's) -- Delta ----- Batch ------- netlink: a small change in a large table

| module | what |
|---|---|
| `table` | tables, sets, maps, chains and rules as values; each rule can carry the reason it is there |
| `script` | the same as commands for `nft -f` |
| `fragments` | the parts of a table that belong to one owner each, and what an update of some of them changes |
| `statements` | rules that can be written both ways: as text and as netlink expressions |
| `batch`, `netlink`, `expressions` | a change as netlink messages; the socket; the wire format |
| `listing` | what is in the kernel: chains, elements, and rules found by the comment that names their owner |
| `keeper` | puts described tables into the kernel, notices when another program changed them, removes them |

`table`, `script` and `listing` load nothing else, so that a CNI plugin can use them.
"""
