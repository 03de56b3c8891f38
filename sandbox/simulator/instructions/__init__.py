"""What each PTX instruction does. One module a family; importing this package fills the catalogue."""

from sandbox.simulator.instructions import asynchronous as asynchronous
from sandbox.simulator.instructions import atomics as atomics
from sandbox.simulator.instructions import barriers as barriers
from sandbox.simulator.instructions import bits as bits
from sandbox.simulator.instructions import carry as carry
from sandbox.simulator.instructions import clusters as clusters
from sandbox.simulator.instructions import compare as compare
from sandbox.simulator.instructions import convert as convert
from sandbox.simulator.instructions import floating as floating
from sandbox.simulator.instructions import half as half
from sandbox.simulator.instructions import hints as hints
from sandbox.simulator.instructions import integer as integer
from sandbox.simulator.instructions import loads as loads
from sandbox.simulator.instructions import matrix as matrix
from sandbox.simulator.instructions import mbarrier as mbarrier
from sandbox.simulator.instructions import moves as moves
from sandbox.simulator.instructions import tiles as tiles
from sandbox.simulator.instructions import video as video
from sandbox.simulator.instructions import warps as warps
from sandbox.simulator.instructions import wmma as wmma
