"""Which code points Unicode 13.0 knows, the oldest Unicode of a supported Python (3.10)."""

from __future__ import annotations

import base64
import functools
import zlib
from bisect import bisect_right

# The places where assigned and unassigned code points alternate: distances as base-128 numbers,
# compressed. A newer Python's unicodedata cannot tell them from what came later.
_PACKED = (
    "c-mD|O>9*~6wY_%%<r9hZ(sY$Yv1d8eI@;)Kh(C+AE;VVs3j6&M8QTwSb!wDaA7w_V+b*_5DZ2V2}IZsmnsWE5<`elSr`)+N"
    ";D!1_Zn7;#;E7M2BY`hxifR-obQ}D^PRb8$gl-a#wmqCnj(c+S7VdZaTi#iBiVMEq#Qj2BwIVto?HeT5p95&DJCytc3^_0Zm"
    "~AJzDC6>Mq1`d!7^Y=LBT^|eO*(Ku_EM5(OMbb$1T<hTxC@Yw>=PyfUqb7qy$h!)`dhCkag-*tSe|!PI|TkC2oV=(2|A%ZCx"
    "%QiyV{|`qL<)ZKJC6?W#*616ffs;=`FhDsJQYK;coNOa2wo@;4NSn=9z&A@n0hI`BnHgMKH$E>g*~Nm}2(vmEpCU!ta}n*C("
    "xU9DDa3Y%1XITnFXJV?O=lOvc_JF1sMFCs^V8X=vGan&U1A=-gDC8Cv4>ES&*uGZXw%GH7$rNoWuKY;Tj;Dgc})}LP5DgkC>"
    "&_PAwk04SFscN?M<tM@K=<cNROh!$d1txF?dc3ufIZIiWxA_12;&>IS@fNC)7qOp?>QNlT6LA7R{s48#t66`W${)ks0Qr$Q7"
    "0jGlcG0XQ4Yd~u_hHs&lDeZ^JwZ4}rsZIPUzMF-IuI*7$-nHR=LT)mx{4yv1%X~E{Y-6(G&7u0)l8!U%o-<T0oS2gFhT_Z3Y"
    "sFSvMywzY~#yXNrIk|tzu&Han#jh-oyRAp+|KC1DuUqfVl1FejavP5}d|W@*9FXD~Ah=3Bf=WtT_LG0O~$f(^#D2GEK>>AXu"
    "Fg2kY%(bBLp#QFW^6s^w@O+dVs-PTS2cyhptl5pL7oVK=hBr(E%Sxsfj=pl%z?R<yeze+cEI9b-FMERlms%yu0N|F;SdiYh2"
    "Lu7$ixzkz3<8!Lj385-QUD+wm;n73i3Mme|Lz{25u(MjT*7&oN+q7TcCHd9htar^4?C!`L>k%hWyiid1>;bTk{srD`yBmICh"
    "W5X5dz6#`1>3RF?3((1D_@wg#2Y<8oCSO~+#<mxM=}?1ASPnsA?bIC~>Zgx9%Ja6gs1wTWO}JZr#Q(PIB2B6iyOZj*_UCn~y"
    "ba`T5B`cUL^n`bK8JEV;JZ)YNjy^A7sYLYC>gQXAywm~?~&{XA>^FDA-Y6#UFRD4*TJGhtt@?uaV6Yhx=Y(Mj)l)bZJYM62;"
    "MR~_dNKi*w+fq$QNW>6!Ch8qWD_!`%f`r@yRWPfRa|?yR?Pgq%l4mb1CK=1L1wl)zdNdQYq#fzOyb>salJxHkKpLNiK(7L(c"
    "vsJT7dF8Oc?pt?#zhtJH3K8<-skue&>6(Z-LO$sN$~@$B-pi(MD^r{v4QE8mZzap;)bzo-9HfBmgU+CMXYkbn"
)


def is_known(code_point: int) -> bool:
    """Whether Unicode 13.0 assigns this code point, so that every supported Python knows its name."""
    return bisect_right(_edges(), code_point) % 2 == 0


@functools.cache
def _edges() -> list[int]:
    edges: list[int] = []
    position = shift = distance = 0
    for byte in zlib.decompress(base64.b85decode(_PACKED)):
        distance |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of one number
            position += distance
            edges.append(position)
            shift = distance = 0
    return edges
