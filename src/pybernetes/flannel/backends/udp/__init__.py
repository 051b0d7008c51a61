"""The udp backend's proxy: pod packets in UDP datagrams, moved by this process."""
