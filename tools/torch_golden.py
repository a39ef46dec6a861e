#!/usr/bin/python3
"""Golden losses, gradients and optimiser steps of tiny models of every family, by PyTorch.

    /usr/bin/python3 tools/torch_golden.py > tests/fixtures/train/golden.json

Written from the papers with torch's tensors, autograd and AdamW (Debian's python3-torch, no other package); nothing of
it comes from the program that is tested. tests/unit/train/test_golden.c makes the same weights and batches from the
same hash, so that the file holds results alone:

  loss   mean negative log-likelihood of the first batch's targets, in float64
  grads  by GGUF's name of the parameter, in float64: [norm, sum of g * direction, g at 3 places]
  steps  the loss before each of 20 steps of AdamW, with clipping and a cosine schedule, in float32
"""
import json
import math
import struct
import sys

import torch

MASK = (1 << 64) - 1
N_STEPS, N_BATCHES, N_TOKENS, N_VOCAB = 20, 4, 23, 96
DOCUMENTS = [0, 11, 12, 23]
PEAK, FLOOR, WARMUP, DECAY, CLIP, BETAS, EPS = 0.01, 0.1, 4, 0.1, 1.0, (0.9, 0.95), 1e-8
WIDTH, FF, HEADS, LAYERS, CONTEXT, RANK, ALPHA = 32, 48, 4, 2, 64, 4, 6.0


# ---- numbers that both sides make alike

def mixed(name, i):
    """FNV-1a of the name, then splitmix64 of the place."""
    seed = 1469598103934665603
    for byte in name.encode():
        seed = (seed ^ byte) * 1099511628211 & MASK
    z = seed + (i + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def unit(name, i):
    """From -1 to 1 in 65536 steps: exact in every type of both sides."""
    return ((mixed(name, i) >> 48) - 32768) / 32768


def values(name, shape):
    size = math.prod(shape)
    mean, spread = 0.0, 0.5
    if name.endswith("norm.weight"):
        mean, spread = 1.0, 0.125
    elif len(shape) == 1:
        spread = 0.125
    elif name.endswith(("lora_a", "lora_b")):
        spread = 0.25
    elif "embd" in name:
        spread = 1.0
    flat = torch.tensor([mean + spread * unit(name, i) for i in range(size)], dtype=torch.float64)
    return flat.reshape(shape)


def batch(number):
    ids = [mixed(f"ids {number}", i) % N_VOCAB for i in range(N_TOKENS)]
    targets = [-1 if i % 5 == 3 else mixed(f"targets {number}", i) % N_VOCAB for i in range(N_TOKENS)]
    return torch.tensor(ids), torch.tensor(targets)


def single(x):
    """As a float of C holds it."""
    return struct.unpack("f", struct.pack("f", x))[0]


# ---- families

class Model:
    """`shapes` lists the parameters; forward() is the family's story."""
    kv_heads, head, turned, neox, window, tied = 2, 8, 8, False, None, False
    bias = qkv_bias = head_norms = learned_positions = False

    def __init__(self, lora=False, rslora=False):
        self.lora, self.scale = lora, ALPHA / (math.sqrt(RANK) if rslora else RANK)
        self.shapes = {}
        self.describe()
        self.p = {}

    def norm_shapes(self, name, width, bias):
        self.shapes[name + ".weight"] = (width,)
        if bias:
            self.shapes[name + ".bias"] = (width,)

    def linear_shapes(self, name, rows, cols, bias):
        self.shapes[name + ".weight"] = (rows, cols)
        if bias:
            self.shapes[name + ".bias"] = (rows,)
        if self.lora and name.startswith("blk."):
            self.shapes[name + ".weight.lora_a"] = (RANK, cols)
            self.shapes[name + ".weight.lora_b"] = (rows, RANK)

    def describe(self):
        self.shapes["token_embd.weight"] = (N_VOCAB, WIDTH)
        if self.learned_positions:
            self.shapes["position_embd.weight"] = (CONTEXT, WIDTH)
        for i in range(LAYERS):
            self.describe_layer(f"blk.{i}.")
        self.norm_shapes("output_norm", WIDTH, self.bias)
        if not self.tied:
            self.linear_shapes("output", N_VOCAB, WIDTH, self.bias)

    def describe_layer(self, at):
        wide, narrow = HEADS * self.head, self.kv_heads * self.head
        self.norm_shapes(at + "attn_norm", WIDTH, self.bias)
        for name, rows in ("q", wide), ("k", narrow), ("v", narrow):
            self.linear_shapes(at + "attn_" + name, rows, WIDTH, self.bias or self.qkv_bias)
        if self.head_norms:
            self.norm_shapes(at + "attn_q_norm", self.head, False)
            self.norm_shapes(at + "attn_k_norm", self.head, False)
        self.linear_shapes(at + "attn_output", WIDTH, wide, self.bias)
        self.describe_mlp(at)

    def describe_mlp(self, at):
        self.norm_shapes(at + "ffn_norm", WIDTH, False)
        self.linear_shapes(at + "ffn_gate", FF, WIDTH, False)
        self.linear_shapes(at + "ffn_up", FF, WIDTH, False)
        self.linear_shapes(at + "ffn_down", WIDTH, FF, False)

    def fill(self, dtype):
        """Fresh weights; with LoRA only the pairs are trained."""
        for name, shape in self.shapes.items():
            trained = not self.lora or "lora_" in name
            self.p[name] = values(name, shape).to(dtype).requires_grad_(trained)

    def trained(self):
        return {name: w for name, w in self.p.items() if w.requires_grad}

    def linear(self, name, x):
        w, bias = self.p[name + ".weight"], self.p.get(name + ".bias")
        y = x @ w.T if bias is None else x @ w.T + bias
        a, b = self.p.get(name + ".weight.lora_a"), self.p.get(name + ".weight.lora_b")
        return y if a is None else y + self.scale * (x @ a.T @ b.T)

    def norm(self, name, x):
        """Layer norm in families with biases, else root mean square."""
        eps, bias = single(1e-5), self.p.get(name + ".bias")
        if bias is not None:
            x = x - x.mean(-1, keepdim=True)
        y = x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * self.p[name + ".weight"]
        return y if bias is None else y + bias

    def rope(self, x):
        """x (tokens, heads, head): the first `turned` numbers turn in pairs, (2i, 2i + 1) or (i, i + half)."""
        half = self.turned // 2
        freqs = torch.tensor([10000.0 ** (-2 * i / self.turned) for i in range(half)], dtype=torch.float64)
        angles = torch.arange(len(x), dtype=torch.float64)[:, None] * freqs
        cos, sin = (f(angles).to(x.dtype)[:, None, :] for f in (torch.cos, torch.sin))
        part, rest = x[..., :self.turned], x[..., self.turned:]
        a, b = (part[..., :half], part[..., half:]) if self.neox else (part[..., 0::2], part[..., 1::2])
        pair = a * cos - b * sin, a * sin + b * cos
        part = torch.cat(pair, -1) if self.neox else torch.stack(pair, -1).flatten(-2)
        return torch.cat((part, rest), -1)

    def attend(self, at, h):
        """Over the tokens of one document."""
        n = len(h)
        q = self.linear(at + "attn_q", h).reshape(n, HEADS, self.head)
        k = self.linear(at + "attn_k", h).reshape(n, self.kv_heads, self.head)
        v = self.linear(at + "attn_v", h).reshape(n, self.kv_heads, self.head)
        if self.head_norms:
            q, k = self.norm(at + "attn_q_norm", q), self.norm(at + "attn_k_norm", k)
        if self.turned:
            q, k = self.rope(q), self.rope(k)
        k, v = (x.repeat_interleave(HEADS // self.kv_heads, 1) for x in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(self.head)
        i = torch.arange(n)
        distance = i[:, None] - i
        hidden = (distance < 0) | (distance >= (self.window or n))
        share = torch.softmax(scores.masked_fill(hidden, -math.inf), -1)
        out = torch.einsum("hqk,khd->qhd", share, v).reshape(n, HEADS * self.head)
        return self.linear(at + "attn_output", out)

    def layer(self, at, x):
        x = x + self.attend(at, self.norm(at + "attn_norm", x))
        h = self.norm(at + "ffn_norm", x)
        gate = self.linear(at + "ffn_gate", h)
        return x + self.linear(at + "ffn_down", gate * torch.sigmoid(gate) * self.linear(at + "ffn_up", h))

    def gelu_mlp(self, at, h):
        u = self.linear(at + "ffn_up", h)
        u = 0.5 * u * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u ** 3)))
        return self.linear(at + "ffn_down", u)

    def logits(self, ids):
        x = self.p["token_embd.weight"][ids]
        if self.learned_positions:
            x = x + self.p["position_embd.weight"][:len(ids)]
        for i in range(LAYERS):
            x = self.layer(f"blk.{i}.", x)
        x = self.norm("output_norm", x)
        return x @ self.p["token_embd.weight"].T if self.tied else self.linear("output", x)

    def loss(self, number):
        """Each document by itself, so that nothing can reach over."""
        ids, targets = batch(number)
        logits = torch.cat([self.logits(ids[a:b]) for a, b in zip(DOCUMENTS, DOCUMENTS[1:])])
        return torch.nn.functional.cross_entropy(logits, targets, ignore_index=-1)


class Llama(Model):
    pass


class Mistral(Model):
    window = 5


class Qwen2(Model):
    neox = qkv_bias = True


class Qwen3(Model):
    neox = head_norms = tied = True
    head = turned = 32


class Phi2(Model):
    kv_heads, turned, neox, bias = HEADS, 4, True, True

    def describe_mlp(self, at):
        self.linear_shapes(at + "ffn_up", FF, WIDTH, True)
        self.linear_shapes(at + "ffn_down", WIDTH, FF, True)

    def layer(self, at, x):
        h = self.norm(at + "attn_norm", x)
        return x + self.attend(at, h) + self.gelu_mlp(at, h)


class Gpt2(Phi2):
    turned, neox, tied, learned_positions = 0, False, True, True

    def describe_mlp(self, at):
        self.norm_shapes(at + "ffn_norm", WIDTH, True)
        super().describe_mlp(at)

    def layer(self, at, x):
        x = x + self.attend(at, self.norm(at + "attn_norm", x))
        return x + self.gelu_mlp(at, self.norm(at + "ffn_norm", x))


# ---- what is written down

def gradient_facts(name, g):
    flat = g.flatten()
    along = sum(flat[i].item() * unit("direction of " + name, i) for i in range(len(flat)))
    places = [flat[mixed("place in " + name, i) % len(flat)].item() for i in range(3)]
    return [float(f"{x:.13g}") for x in (flat.norm().item(), along, *places)]


def rate(step):
    top, last = WARMUP - 1, N_STEPS - 1
    if step < top:
        return PEAK * (step + 1) / WARMUP
    return PEAK * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * (step - top) / (last - top))))


def descend(model):
    """Decay is for matrices, not for norms and biases."""
    trained = model.trained().values()
    groups = [{"params": [w for w in trained if w.dim() > 1], "weight_decay": DECAY},
              {"params": [w for w in trained if w.dim() == 1], "weight_decay": 0.0}]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], betas=BETAS, eps=EPS)
    losses = []
    for step in range(N_STEPS):
        for group in adam.param_groups:
            group["lr"] = rate(step)
        adam.zero_grad()
        loss = model.loss(step % N_BATCHES)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, CLIP)
        adam.step()
        losses.append(float(f"{loss.item():.9g}"))
    return losses


def golden(model):
    model.fill(torch.float64)
    loss = model.loss(0)
    loss.backward()
    grads = {name: gradient_facts(name, w.grad) for name, w in model.trained().items()}
    model.fill(torch.float32)
    return {"loss": float(f"{loss.item():.15g}"), "grads": grads, "steps": descend(model)}


def main():
    torch.set_num_threads(1)
    models = {"llama": Llama(), "mistral": Mistral(), "qwen2": Qwen2(), "qwen3": Qwen3(), "phi2": Phi2(),
              "gpt2": Gpt2(), "llama lora": Llama(lora=True), "llama rslora": Llama(lora=True, rslora=True),
              "phi2 lora": Phi2(lora=True), "gpt2 lora": Gpt2(lora=True)}
    rows = [f"{json.dumps(name)}:{json.dumps(golden(m), separators=(',', ':'))}" for name, m in models.items()]
    sys.stdout.write("{" + ",\n".join(rows) + "}\n")


if __name__ == "__main__":
    main()
