// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IENSResolverOf {
    function resolver(bytes32 node) external view returns (address);
}

/// @title The one place that announces changed names
/// @notice Accepts a call only from the contract that the registry names as
/// the resolver of the node, so that a follower needs to watch one address.
contract DomainNotifier {
    IENSResolverOf private immutable registry;

    event DomainUpdated(bytes32 indexed node);

    /// The sender is not the resolver of the node.
    error NotResolver(bytes32 node, address sender);

    constructor(address ens) {
        registry = IENSResolverOf(ens);
    }

    function domainUpdated(bytes32 node) external {
        if (registry.resolver(node) != msg.sender) revert NotResolver(node, msg.sender);
        emit DomainUpdated(node);
    }
}
