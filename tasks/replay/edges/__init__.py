"""Web servers that tell of their requests, one file each: the lines that make them tell, and a pure parse.

Law: an edge tells in datagrams, which it never waits for: a recorder that is slow, hangs or is gone costs the
customers nothing. (An nginx `mirror` holds the next request of the connection until the copy is answered, and
an haproxy SPOE agent holds the request itself.) Authorization and Cookie do not leave the edge.
"""
