"""Q-learning for a fleet: one loss for IQL, VDN and QMIX, which differ by the mixer that they are given.

Knows tensors alone, so it learns from any environment whose experience comes as `Batch`.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from policies.agent import AgentNetwork, require_scale
from policies.batch import Batch
from policies.config import LearnerConfig
from policies.normalization import RunningMoments
from policies.returns import discounted_sums, lambda_returns


class QLearner:
    """Double Q-learning with lambda-returns on the mixed values of all robots.

    Args:
        agent: the network to train, in place.
        mixer: called with (agent_qs [..., agents], state [..., state]), and present [..., agents] where robots are
            absent; returns [..., values], one for the team or one for each robot.
        state_scale: [state], above 0; the state is divided by it before it reaches the mixer.
        config: discount, rates and limits.
        measure_inputs: whether `observe` also scales observations and state, by statistics in place of given scales.

    Raises:
        ValueError: when a scale is not a finite number above 0.
    """

    def __init__(
        self,
        agent: AgentNetwork,
        mixer: nn.Module,
        state_scale: Tensor,
        config: LearnerConfig,
        measure_inputs: bool = False,
    ) -> None:
        require_scale("state_scale", state_scale)
        self.agent, self.mixer, self.config, self._measure_inputs = agent, mixer, config, measure_inputs
        self.state_mean = torch.zeros(len(state_scale))
        self.state_scale = state_scale.detach().clone().float()
        self.reward_scale = torch.ones(())
        """Spread of the discounted sums of rewards; what the networks learn is in units of it [reward]."""
        self._moments = {
            "observation": RunningMoments(len(agent.observation_scale)),
            "state": RunningMoments(len(state_scale)),
            "reward": RunningMoments(1),
            "return": RunningMoments(1),
        }
        self.target_agent: AgentNetwork = deepcopy(agent).requires_grad_(False)
        self.target_mixer = deepcopy(mixer).requires_grad_(False)
        self._updates = torch.zeros((), dtype=torch.int64)
        self._online: list[Tensor] = [*agent.parameters(), *mixer.parameters()]
        self._target: list[Tensor] = [*self.target_agent.parameters(), *self.target_mixer.parameters()]
        self._optimizer = torch.optim.Adam(self._online, lr=config.learning_rate, fused=True)
        # Adam would start with just these at its first step; from now on they are there to be saved and loaded.
        for p in self._online:
            moments = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            self._optimizer.state[p] = {"step": torch.zeros((), device=p.device), **moments}

    @property
    def updates(self) -> int:
        """How many updates were taken."""
        return int(self._updates)

    def observe(self, batch: Batch) -> None:
        """Take fresh experience into the statistics, once, before the first update that draws it.

        From then on rewards are divided by the spread of their discounted sums over a sequence, so that the size of
        the values, and with it the step size, does not depend on the unit of the rewards. Nothing is subtracted: a
        shift of the rewards would change which policy is best where episodes differ in length.
        """
        valid = batch.valid
        self._moments["reward"].add(batch.reward[valid].unsqueeze(-1))
        sums = discounted_sums(batch.reward, valid, self.config.gamma)
        self._moments["return"].add(sums[valid].unsqueeze(-1))
        self.reward_scale.copy_(self._moments["return"].scale().squeeze())
        if not self._measure_inputs:
            return
        there = valid.unsqueeze(-1) & batch.present.unsqueeze(1)
        self._moments["observation"].add(batch.observation[:, :-1][there])
        self._moments["state"].add(batch.state[:, :-1][valid])
        for agent in (self.agent, self.target_agent):
            agent.observation_mean.copy_(self._moments["observation"].mean)
            agent.observation_scale.copy_(self._moments["observation"].scale())
        self.state_mean.copy_(self._moments["state"].mean)
        self.state_scale.copy_(self._moments["state"].scale())

    def value_limits(self) -> tuple[float, float]:
        """Return the least and the largest value that any policy can have, by the rewards seen so far [reward].

        Infinite with gamma 1. Nothing was seen: 0 and 0.
        """
        # Q = sum_k gamma^k r_k lies within [r_min, r_max] / (1 - gamma); an end can leave out any number of terms.
        rewards, horizon = self._moments["reward"], 1.0 / max(1.0 - self.config.gamma, 1e-12)
        low, high = min(0.0, float(rewards.lowest)), max(0.0, float(rewards.highest))
        return low * horizon, high * horizon

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its metrics, each a scalar tensor.

        The loss and td_error_abs are in units of `reward_scale`, q_mean and return_mean in those of the rewards.
        """
        state = (batch.state - self.state_mean) / self.state_scale
        present = () if bool(batch.present.all()) else (batch.present.unsqueeze(1),)  # nothing to mask in a full fleet

        # Q_tot(s_t, u_t): the online values of the actions taken, mixed.
        q = _action_values(self.agent, batch)
        taken = q[:, :-1].gather(-1, batch.action.unsqueeze(-1)).squeeze(-1)
        q_tot = self.mixer(taken, state[:, :-1], *present)

        with torch.no_grad():
            # Double Q: the online network picks each robot's best allowed action at t+1, the target network values it.
            best = q.masked_fill(~batch.action_mask, -torch.inf)[:, 1:].argmax(-1, keepdim=True)
            target_q = _action_values(self.target_agent, batch)
            target_next = self.target_mixer(target_q[:, 1:].gather(-1, best).squeeze(-1), state[:, 1:], *present)
            # y_t = G_t, the lambda-return over the team's rewards in units of their scale.
            reward = batch.reward / self.reward_scale
            returns = lambda_returns(
                reward, target_next, batch.terminated, batch.valid, self.config.gamma, self.config.trace_decay
            )

        # L = mean over real steps of (y_t - Q_tot(s_t, u_t))^2; IQL has one such error for each robot that is there.
        steps = batch.valid.unsqueeze(-1).expand_as(q_tot)
        if present and q_tot.shape[-1] > 1:
            steps = steps & present[0]
        count = steps.sum().clamp(min=1)
        error = torch.where(steps, returns - q_tot, 0.0)
        loss = error.square().sum() / count
        metrics = {
            "td_error_abs": error.abs().sum(),
            "q_mean": torch.where(steps, q_tot, 0.0).sum() * self.reward_scale,
            "return_mean": torch.where(steps, returns, 0.0).sum() * self.reward_scale,
        }
        return loss, {name: total.detach() / count for name, total in metrics.items()}

    def update(self, batch: Batch) -> dict[str, float]:
        """Take one gradient step on the batch and move the target network; return the loss and the other metrics.

        Raises:
            FloatingPointError: when a gradient is not finite; the parameters then stay as they were.
        """
        loss, metrics = self.loss(batch)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self._online, self.config.gradient_norm, foreach=True)
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"the gradient's norm is {norm.item()} after {self.updates} updates; valid is finite"
            )
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self._target, self._online, self.config.target_rate)
        self._updates += 1
        metrics = {"loss": loss.detach(), **metrics, "gradient_norm": norm}
        return dict(zip(metrics, torch.stack(list(metrics.values())).tolist(), strict=True))

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of all that training needs to go on, by flat name: networks, targets, optimizer, statistics."""
        return {name: value.detach().clone().contiguous() for name, value in self._tensors().items()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            ValueError: when a tensor is missing, unknown or of another shape; the learner then stays as it was.
        """
        own = self._tensors()
        for name in sorted(own.keys() | tensors.keys()):
            found = tuple(tensors[name].shape) if name in tensors else "missing"
            valid = tuple(own[name].shape) if name in own else "no tensor of that name"
            if found != valid:
                raise ValueError(f"tensor {name} of the learner's state is {found}; valid is {valid}")
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])

    def _tensors(self) -> dict[str, Tensor]:
        """Return the live tensors of the state by name."""
        online = {"agent": self.agent, "mixer": self.mixer}
        parts = {**online, "target_agent": self.target_agent, "target_mixer": self.target_mixer}
        tensors = {f"{part}.{name}": x for part, module in parts.items() for name, x in module.state_dict().items()}
        for part, module in online.items():
            for name, parameter in module.named_parameters():
                for moment, x in self._optimizer.state[parameter].items():
                    tensors[f"optimizer.{part}.{name}.{moment}"] = x
        for part, moments in self._moments.items():
            tensors |= {f"moments.{part}.{name}": x for name, x in moments.tensors().items()}
        scales = {name: getattr(self, name) for name in ("state_mean", "state_scale", "reward_scale")}
        return {**tensors, **scales, "updates": self._updates}


def _action_values(agent: AgentNetwork, batch: Batch) -> Tensor:
    """Return q [batch, time + 1, agents, actions]; 0 for absent robots, which the network never sees."""
    q: Tensor
    if bool(batch.present.all()):
        q, _ = agent(batch.observation, batch.hidden)
        return q
    # Each robot that is there becomes a row of its own, [rows, time + 1, 1, features].
    present = batch.present
    q, _ = agent(batch.observation.transpose(1, 2)[present].unsqueeze(2), batch.hidden[present].unsqueeze(1))
    values = q.new_zeros(*present.shape, *q.shape[1::2])
    values[present] = q.squeeze(2)
    return values.transpose(1, 2)
