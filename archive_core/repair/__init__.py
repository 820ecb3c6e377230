"""Repair: damaged and missing bytes of a copy put right, from copies that the evidence proves.

The way of a repair: what is damaged (`running`, from an audit) → what should be there (`wanted`: it follows from
descriptions that the evidence record covers, `proving`) → what differs in each store (`looking`) → good bytes from
whichever copy has them, chunk by chunk where need be (`gathering`) → put back (`mending`).
"""
