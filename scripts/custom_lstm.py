"""The CustomLSTM cell and its feedbacks in PyTorch: the demo models and the fixtures are made from these."""

import torch
from torch import nn


class CustomLSTM(nn.Module):
    """An LSTM cell that reads a hidden state of size Hi and writes one of size Ho. Gates in PyTorch's order i, f, g, o."""

    def __init__(self, I, Hi, Ho):
        super().__init__()
        self.input_linear = nn.Linear(I, 4 * Ho)
        self.hidden_linear = nn.Linear(Hi, 4 * Ho)

    def forward(self, x, h_in, c_in):
        i, f, g, o = (self.input_linear(x) + self.hidden_linear(h_in)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c_in + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


def attend(h, support):
    """Matching Networks' read: a = softmax(h . s_i), r = sum a_i s_i. h [B, Ho], support [N, Ho] or [B, N, Ho]."""
    support = support.expand(len(h), -1, -1)
    a = torch.softmax(torch.einsum("bj,bnj->bn", h, support), dim=-1)
    return torch.einsum("bn,bnj->bj", a, support), a


def run(cell, feedback, x, h_in=None, c_in=None, lengths=None, residual=False):
    """Steps a cell over x [B, T, I]. feedback(h, t) returns what step t reads; h is zero before the first step.

    Returns output [B, T, Ho] (zeros past a row's length), h and c after each row's last step, and the h_next of each row.
    """
    B, T, _ = x.shape
    Ho = cell.hidden_linear.out_features // 4
    lengths = torch.full((B,), T) if lengths is None else lengths
    h, c = torch.zeros(B, Ho), torch.zeros(B, Ho) if c_in is None else c_in
    output = torch.zeros(B, T, Ho)
    read = feedback(h, 0) if h_in is None else h_in
    for t in range(T):
        live = (t < lengths).unsqueeze(1)
        h_new, c_new = cell(x[:, t], read, c)
        if residual:
            h_new = h_new + x[:, t]
        h, c = torch.where(live, h_new, h), torch.where(live, c_new, c)
        output[:, t] = torch.where(live, h, torch.zeros_like(h))
        following = feedback(h, t + 1)
        read = read if following is None else torch.where(live, following, read)
    return output, h, c, read
