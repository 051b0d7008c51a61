"""kube-proxy: implements Services in the kernel.

`server_changes` turns Services into virtual servers and their changes; `nftables` and `iptables` turn those into rules;
the renderers write the rules; `daemon` connects them to informers and repairs what other programs remove.
"""
