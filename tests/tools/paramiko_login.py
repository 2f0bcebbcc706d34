#!/usr/bin/python3
"""Logs in by keyboard-interactive with paramiko, runs `true`, and ends as it did.

    paramiko_login.py USER PORT
"""

import socket
import sys

import paramiko

transport = paramiko.Transport(socket.create_connection(("127.0.0.1", int(sys.argv[2]))))
transport.start_client()
# The library's own way to put the prompts to a person at a terminal.
transport.auth_interactive_dumb(sys.argv[1])
channel = transport.open_session()
channel.exec_command("true")
code = channel.recv_exit_status()
transport.close()
sys.exit(code)
