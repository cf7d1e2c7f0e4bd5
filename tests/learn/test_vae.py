import pytest
import torch

from fibsem_ij.learn.nets import vae
from fibsem_ij.learn.nets.vae import Config, Net


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net(Config(inputs=3, outputs=1, depth=3, base=4, codes=2)).eval()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 9), (32, 16)])
def test_any_size(net, height, width):
    x = torch.randn(2, 3, height, width)
    with torch.no_grad():
        assert net(x).shape == (2, 1, height, width)
        mean, price = net.coded(x, noise=torch.Generator().manual_seed(1))
    assert mean.shape == (2, 1, height, width)
    assert price.shape == (2,)


def test_a_code_that_says_nothing_is_free_and_one_that_says_something_is_not(net):
    x = torch.randn(1, 3, 16, 16)
    for rung in net.rungs:
        torch.nn.init.zeros_(rung.posterior[-1].bias)
    with torch.no_grad():
        assert net.coded(x, noise=None)[1].item() == pytest.approx(0, abs=1e-4)
        torch.nn.init.normal_(net.rungs[0].posterior[-1].weight)
        assert net.coded(x, noise=None)[1].item() > 1


def test_draws_scatter_about_the_middle_as_the_generator_says(net):
    x = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        one, again, other = (net.coded(x, noise=torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
        assert torch.equal(one, again)
        assert not torch.equal(one, other)
        assert torch.equal(net(x), net(x))


def test_the_price_is_the_divergence_from_the_prior(net):
    """Against torch's own, for one rung."""
    from torch.distributions import Normal, kl_divergence

    rung = net.rungs[0]
    torch.nn.init.normal_(rung.posterior[-1].weight, std=0.3)
    torch.nn.init.normal_(rung.prior.weight, std=0.3)
    known, seen = torch.randn(2, 1, 4, 8, 8).unbind()
    with torch.no_grad():
        mean, spread = rung.prior(known).chunk(2, 1)
        shift, ratio = rung.posterior(torch.cat((known, seen), 1)).chunk(2, 1)
        spread, ratio = (4 * torch.tanh(s / 4) for s in (spread, ratio))
        prior, posterior = Normal(mean, spread.exp()), Normal(mean + spread.exp() * shift, (spread + ratio).exp())
        assert vae._price(*rung(known, seen, None)[1]).item() == pytest.approx(kl_divergence(posterior, prior).sum().item(), rel=1e-4)
