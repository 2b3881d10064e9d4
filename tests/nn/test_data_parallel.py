"""Networks inside of PyTorch's wrappers for data-parallel training, in a group of one process."""

import copy

import pytest
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel
from transformed import ACTIONS, AGENTS, HIDDEN, OBS, ROWS, STATE, Unrolled, draw

from pyqmix.nn import GRUAgent, MLPAgent, QMixer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # torch's own, of hardware that is not there


@pytest.fixture(scope="module", autouse=True)
def _group(tmp_path_factory):
    store = distributed.FileStore(str(tmp_path_factory.mktemp("group") / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def sharded(module):
    fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
    return module


def sharded_layer_by_layer(module):
    mesh = init_device_mesh("cpu", (1,))
    for layer in module.modules():
        if isinstance(layer, torch.nn.Linear):
            fully_shard(layer, mesh=mesh)
    return sharded(module)


def flattened(module):
    return FullyShardedDataParallel(module, device_id=torch.device("cpu"), use_orig_params=False)


def with_original_parameters(module):
    return FullyShardedDataParallel(module, device_id=torch.device("cpu"), use_orig_params=True)


WRAPPERS = [DistributedDataParallel, sharded, sharded_layer_by_layer, flattened, with_original_parameters]
NETWORKS = {
    "qmix": (lambda: QMixer(AGENTS, STATE, 6, 2), ((ROWS, AGENTS), (ROWS, STATE))),
    "mlp": (lambda: Unrolled(MLPAgent(OBS, ACTIONS, AGENTS, HIDDEN)), ((ROWS, AGENTS, OBS),)),
    "gru": (lambda: Unrolled(GRUAgent(OBS, ACTIONS, AGENTS, HIDDEN)), ((ROWS, AGENTS, OBS),)),
}


@pytest.mark.parametrize("wrap", WRAPPERS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_three_steps_equal_those_of_the_network_alone(kind, wrap):
    make, shapes = NETWORKS[kind]
    torch.manual_seed(0)
    alone = make().double()
    wrapped = wrap(copy.deepcopy(alone))
    losses = []
    inputs = [draw(*shape) for shape in shapes]
    for network in (alone, wrapped):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            loss = network(*inputs).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    torch.testing.assert_close(losses[:3], losses[3:])
    assert losses[0] > losses[2]
